/* Writes a greeting for name. */
void greet(const char *name);
