"""All metrics over many videos: pairs in, one result file out, tables and pages made from it."""
