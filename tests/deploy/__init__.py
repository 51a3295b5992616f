"""Tests of the image, docker-compose.yml and the files in deploy/, by running what they configure."""
