GRANT USAGE ON SCHEMA migrator TO shop_app;
GRANT SELECT ON ALL TABLES IN SCHEMA migrator TO shop_app;
GRANT SELECT ON alembic_version TO shop_app;
GRANT INSERT, UPDATE ON migrator.sightings TO shop_app;
