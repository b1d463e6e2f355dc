"""One file per family of metrics, each fitting existing measures to the suite's interface."""
