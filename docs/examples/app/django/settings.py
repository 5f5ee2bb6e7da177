"""Settings of the shop. Every session says which build it is: the contract gate looks for older ones."""

import os
from urllib.parse import urlsplit

VERSION = os.environ.get("VERSION", "2.0")
SECRET_KEY = "of an example"
INSTALLED_APPS = ["shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

url = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": url.hostname,
        "PORT": url.port,
        "USER": url.username,
        "PASSWORD": url.password or "",
        "NAME": url.path[1:],
        "OPTIONS": {"application_name": f"shop/{VERSION}"},
    }
}
