"""The executor: owns the device, the loaded model and the memory of its pages, and runs steps."""
