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
