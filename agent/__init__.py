"""The domain: posts and comments come in, their sentiment comes out. Sources, sentiment, store, two services."""
