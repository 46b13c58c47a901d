"""Forward authentication: protected sites, who may enter them, and the way in."""
