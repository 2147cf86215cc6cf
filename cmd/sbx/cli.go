package main

func parse(args []string) int { return 2 }
