#!/bin/sh
# How many files a folder has.
ls "$1" | wc -l | tr -d ' '
