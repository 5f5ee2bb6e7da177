"""Deployments as other systems write them down. Nothing here asks a database."""
