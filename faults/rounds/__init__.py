"""Crash rounds by the thousand: a worker is killed at a marked point, again and again, and nothing is done twice.

A round opens two incidents, for each of which rules run an action in the cluster and tell Slack and PagerDuty; a fresh
worker, forked from one that has everything imported, walks into the point's trap and is killed (SIGKILL). What is left
is the next round's. lane.py holds what a round needs, points.py the points, judge.py what must hold in the end; some
lanes run beside each other, each a process with a database of its own (command.py).
"""
