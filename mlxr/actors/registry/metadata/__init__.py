"""What model files say of themselves, read in a sandbox and put into the form of ``ModelInfo`` or ``/api/show``."""
