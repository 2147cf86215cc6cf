package main

// The verb import: the command line of another program as a script.

// importCmd is the verb's grammar.
type importCmd struct{}
