"""From text to sentiment: the rules of texts, the shape of an engine, and the engine that is flair."""
