"""Vision transformers as timm saves them: a folder with a configuration and safetensors."""
