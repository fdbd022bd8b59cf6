-- Run by the image in the database of a new cluster (POSTGRES_DB).
CREATE EXTENSION pg_tviews;
