"""The neighbours a test talks to: real servers on 127.0.0.1, started and stopped by the test run."""
