"""The Hugging Face Hub: what names mean there, which of a repository's files are the model, and who may have them."""
