"""How pasted secrets show in a text (clause 4.3): their cues, shapes, neighbours and sentences."""
