"""The tokenizer: owns the text side of one engine. Prompts become token ids, sampled ids text and tool calls."""
