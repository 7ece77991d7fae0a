"""The registry: owns the catalogue of models, the pulls in progress, and which engines should run."""
