"""The child process that parses mail: limits on memory and CPU time hold it, and it can be killed without loss.

It says that it is ready; then its standard input brings jobs and its standard output takes answers. A job is four bytes
of length and the raw mail; an answer is four bytes of length, the mail as JSON, and then the payloads of its
attachments, whose sizes the JSON states.
"""

import json
import sys
from collections.abc import Callable
from typing import BinaryIO

from firstline.intake.child_limits import LENGTH, READY, limit_job, limit_process
from firstline.intake.mail import ParsedMail
from firstline.intake.parsing import parse


def serve(jobs: BinaryIO, answers: BinaryIO, parse: Callable[[bytes], tuple[ParsedMail, list[bytes]]] = parse) -> None:
    """Answer jobs until the parent closes the pipe."""
    limit_process()
    answers.write(READY)
    answers.flush()
    while len(head := jobs.read(LENGTH.size)) == LENGTH.size:
        raw = jobs.read(LENGTH.unpack(head)[0])
        limit_job()
        mail, payloads = parse(raw)
        document = json.dumps(mail.to_json()).encode()
        answers.write(LENGTH.pack(len(document)) + document)
        answers.writelines(payloads)
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
