"""Where clips come from: folders and manifests of the user's own, the layout of FLEURS, the espeak demo corpus."""
