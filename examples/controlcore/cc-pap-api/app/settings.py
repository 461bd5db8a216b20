"""What the environment decides. The defaults are for a developer's own machine and nothing else."""

from __future__ import annotations

import os

DATABASE_URL = os.environ.get("DATABASE_URL", "postgresql://controlcore:controlcore@localhost:5432/controlcore")
REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")
SECRET_KEY = os.environ.get("SECRET_KEY", "dev")
ADMIN_PASSWORD = os.environ.get("ADMIN_PASSWORD", "controlcore-dev")
SERVICE_TOKEN = os.environ.get("SERVICE_TOKEN", "controlcore-dev-service")
SESSION_SECONDS = 8 * 60 * 60
ALLOWED_ORIGINS = os.environ.get("ALLOWED_ORIGINS", "http://localhost:5173,http://127.0.0.1:5173").split(",")
