"""What must be so before production: databases and their models, migrations, and everything ``predeploy`` looks at."""
