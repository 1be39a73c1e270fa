"""The torch modules that specs become, one file per spec file."""
