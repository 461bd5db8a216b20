"""What ``devctl predeploy`` looks at: facts are gathered here, and judged by ``devctl.safety``."""
