"""Fine-tuning: labelled data, scores, controls, adapters."""
