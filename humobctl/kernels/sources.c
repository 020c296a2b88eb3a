/* Which sources this library was compiled of: see __init__.py. */

const char *humob_sources(void);

const char *humob_sources(void) { return HUMOBCTL_SOURCES; }
