"""Ollama's models as its registry and its folder have them: names, manifests, layers."""
