-- The database and its roles, for psql as a superuser; safe to run again. Passwords come from the environment, where
-- no process list shows them. Without TRACKSTAT_SANDBOX_PASSWORD that role cannot sign in: production leaves it out.
--   trackstat_owner    owns the tables; migrations, dumps and flushes. Walks through row-level security.
--   trackstat_app      web, workers and beat. Owns nothing, bound by row-level security.
--   trackstat_across   no login; trackstat_app takes it on for the few look-ups over all practices.
--   trackstat_sandbox  may move the sandbox's clock, nothing else.
\set ON_ERROR_STOP on
\set owner_password ''
\set app_password ''
\set sandbox_password ''
\getenv owner_password TRACKSTAT_OWNER_PASSWORD
\getenv app_password TRACKSTAT_APP_PASSWORD
\getenv sandbox_password TRACKSTAT_SANDBOX_PASSWORD

SELECT format('CREATE ROLE %I', name)
  FROM unnest(ARRAY['trackstat_owner', 'trackstat_app', 'trackstat_across', 'trackstat_sandbox']) AS name
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

ALTER ROLE trackstat_owner LOGIN CREATEDB BYPASSRLS NOSUPERUSER NOCREATEROLE;
ALTER ROLE trackstat_app LOGIN NOCREATEDB NOBYPASSRLS NOSUPERUSER NOCREATEROLE;
ALTER ROLE trackstat_across NOLOGIN NOCREATEDB NOBYPASSRLS NOSUPERUSER NOCREATEROLE;
ALTER ROLE trackstat_sandbox NOLOGIN NOCREATEDB NOBYPASSRLS NOSUPERUSER NOCREATEROLE;
GRANT trackstat_across TO trackstat_app WITH INHERIT FALSE, SET TRUE;

SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', name, password)
  FROM (VALUES ('trackstat_owner', :'owner_password'),
               ('trackstat_app', :'app_password'),
               ('trackstat_sandbox', :'sandbox_password')) AS given (name, password)
 WHERE password <> '' \gexec

SELECT 'CREATE DATABASE trackstat OWNER trackstat_owner TEMPLATE template0 ENCODING ''UTF8'''
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'trackstat') \gexec
