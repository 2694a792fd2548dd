"""Requests and answers, whoever carries them: bodies within a limit, media types, problem documents.

May import nothing of ``functions``. A refusal carries its status and says what to do; no error becomes an answer
anywhere but in ``problem``; what was asked of whom and whose the error is stands in every answer.
"""
