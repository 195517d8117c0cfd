"""What the two published write-ups print about their models, as far as more than one lesson needs it."""

# The mini-project: test accuracy after each of its 15 epochs, which it calls validation.
TEST_ACCURACY_BY_EPOCH = (
    *(0.8342, 0.8551, 0.8585, 0.8422, 0.8634, 0.8764, 0.8611, 0.8889),
    *(0.8911, 0.8185, 0.8937, 0.8804, 0.8613, 0.8972, 0.8929),
)
# Its two classification reports for one model, a value a class.
REPORTS = {
    "results section": {
        "precision": [0.87, 0.98, 0.83, 0.90, 0.85, 0.95, 0.75, 0.94, 0.94, 0.94],
        "recall": [0.91, 0.99, 0.76, 0.87, 0.79, 0.96, 0.67, 0.97, 0.94, 0.95],
        "f1-score": [0.89, 0.99, 0.79, 0.88, 0.82, 0.95, 0.71, 0.95, 0.94, 0.94],
    },
    "notebook output": {
        "precision": [0.90, 0.97, 0.84, 0.90, 0.84, 0.98, 0.64, 0.96, 0.99, 0.96],
        "recall": [0.72, 0.99, 0.86, 0.88, 0.83, 0.98, 0.78, 0.96, 0.96, 0.97],
        "f1-score": [0.80, 0.98, 0.85, 0.89, 0.83, 0.98, 0.70, 0.96, 0.98, 0.96],
    },
}
# The blog post: of 1,000 images of a class, how many were taken for another.
SNEAKERS_AS_BOOTS, SNEAKERS_AS_SANDALS, BOOTS_AS_SNEAKERS = 96, 27, 7
# What they claim, and what would show it. The mini-project's first, then the blog post's, then the two reports.
CLAIMS = {
    "speed": (
        "Batch normalization speeds convergence",
        "training accuracy of the first epoch above that of the control",
    ),
    "calm": ("Batch normalization steadies validation curves", "smaller steps from the fifth epoch on"),
    "better": (
        "Batch normalization makes the network better",
        "validation accuracy of the last five epochs above that of the control",
    ),
    "normalized gap": (
        "Batch normalization reduces over-fitting, without dropout",
        "training accuracy less far above validation accuracy than the control's",
    ),
    "normalized gap, dropout": ("Batch normalization reduces over-fitting, with dropout", "the same"),
    "dropout gap": (
        "Dropout reduces over-fitting, without batch normalization",
        "training accuracy less far above validation accuracy than without",
    ),
    "dropout gap, normalized": ("Dropout reduces over-fitting, with batch normalization", "the same"),
    "augmentation": (
        "Augmentation improves generalization (all images, 15 epochs)",
        "validation accuracy of the last five epochs above that without",
    ),
    "covariate shift": (
        "Batch normalization works because it reduces internal covariate shift",
        "an experiment on the shift itself",
    ),
    "epochs": ("15 epochs are enough", "less than half a point gained by 15 more"),
    "scaling": (
        "Scaling pixels to [0, 1] makes training more efficient",
        "training accuracy of the first epoch above that with 0 to 255",
    ),
    "classes": (
        "Trouser, Sandal, Sneaker are easy, Pullover and Shirt hard",
        "recall above and below the mean of all classes",
    ),
    "no over-fitting": (
        "87.7% in training against 85% is no significant over-fitting",
        "a gap that 10,000 test images cannot show",
    ),
    "precision": ("Precision of Sneaker 88%, of Ankle boot 98%", "counts that allow it"),
    "shirts": (
        "150 to 250 shirts taken for T-shirts, pullovers and coats each",
        "means over the seeds in that range",
    ),
    "dense": ("Dense networks struggle", "a dense network's test accuracy below that of a CNN of its size"),
    "shift": ("CNNs are robust to shifts", "at most 2 points lost at severity 2"),
    "scale": ("CNNs are robust to changes of scale", "the same"),
    "rotation": ("CNNs are robust to changes of orientation", "the same"),
    "brightness": ("CNNs are robust to changes of lighting: brightness", "the same"),
    "contrast": ("CNNs are robust to changes of lighting: contrast", "the same"),
    "results section": ("The report in the results section is the model's", "counts that fit 10,000 images"),
    "notebook output": ("The report in the notebook output is the model's", "the same"),
}
