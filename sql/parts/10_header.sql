-- pg_tviews: tables of JSON documents that stay equal to their defining query.
\echo Use "CREATE EXTENSION pg_tviews" to load this file. \quit
