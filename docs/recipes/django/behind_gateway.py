"""Settings of a Django site behind the gateway: `from .behind_gateway import *` at the end of settings.py."""

import os

# The gateway tells which host and scheme the visitor asked for. Without these lines, forms fail their CSRF check, and
# links name this server. Only the gateway may be able to reach this server: everybody could send these headers.
USE_X_FORWARDED_HOST = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# The gateway, and its secrets.
ISR_GATEWAY = os.environ.get("ISR_GATEWAY", "")
ISR_ADMIN_TOKEN = os.environ.get("ISR_ADMIN_TOKEN", "")
ISR_BYPASS_TOKEN = os.environ.get("ISR_BYPASS_TOKEN", "")
