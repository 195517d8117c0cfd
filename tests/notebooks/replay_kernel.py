"""A kernel that computes nothing: it answers each cell with what an executed notebook has there.

``python -m replay_kernel NOTEBOOK -f CONNECTION_FILE``. With it nbval compares as ever, in seconds.
"""

import sys

import nbformat
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel

EXECUTED = nbformat.read(sys.argv[1], as_version=4) if __name__ == "__main__" else None


class ReplayKernel(Kernel):
    """Answers the cells in their order; other code than the next cell's is an error."""

    implementation, implementation_version, banner = "replay", "1", "replay"
    language_info = {"name": "python", "mimetype": "text/x-python", "file_extension": ".py"}

    def __init__(self, **options):
        super().__init__(**options)
        self.left = [cell for cell in EXECUTED.cells if cell.cell_type == "code"]

    async def do_execute(self, code, silent, *_, **__):
        if not silent:
            cell = self.left.pop(0)
            assert code == cell.source
            for output in cell.outputs:
                content = {key: value for key, value in output.items() if key != "output_type"}
                self.send_response(self.iopub_socket, output.output_type, content)
        return {
            "status": "ok",
            "execution_count": self.execution_count,
            "payload": [],
            "user_expressions": {},
        }


if __name__ == "__main__":
    IPKernelApp.launch_instance(argv=sys.argv[2:], kernel_class=ReplayKernel)
