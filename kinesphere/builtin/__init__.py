"""What ships inside: models, a clip and patches, so that everything works with no download; and the scripts that made them."""
