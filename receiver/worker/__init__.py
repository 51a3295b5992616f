"""The worker: takes jobs from the job table and does them. To add a kind of job: services/job_handler.py.

loop.py decides what to claim, bulkhead.py runs it (some threads for each queue), attempt.py is one attempt,
recorder.py writes how it ended, lease.py keeps what is held, reaper.py picks up what others have dropped.
"""
