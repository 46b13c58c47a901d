"""The admin pages, one module for each entry of the menu or tab of a product or user."""
