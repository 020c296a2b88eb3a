"""Tables of user vectors: files, principal components, nearest neighbours."""
