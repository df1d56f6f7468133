"""The trained samplers that come with the package."""
