"""Device code: every command word that the pump gives its step generator, while the pump is kept as busy as can be."""

from load import Load
from meters import Meter
from pump import make, task, when_done

_PAGE = 511  # the end of the event log's ring, which is not reached here


def run(frames):
    """Run the loaded pump for so many frames. Reports the words (interval in us : steps) and how late its ticks ran."""
    hardware, application = make()
    words = Meter(frames)
    lateness = Meter(frames)
    ended = [False]
    _note_words(application.dosing._train, words, ended)
    row = task(application, "dose")
    tick = row.run

    def timed(late):
        lateness.add(late, 0)
        return tick(late)

    row.run = timed
    load = Load(lambda page: hardware.eeprom.write_page(_PAGE, page))
    executive = application._executive
    background = executive._background

    def loaded(console_input):
        load.work()
        background(console_input)
        return 0  # never sleep

    executive._background = loaded

    def report():
        ended[0] = True
        words.report("words")
        lateness.report("late")
        print(f"\r\n#writes {load.writes}")

    when_done(application, lateness, report)
    application.run()


def _note_words(train, words, ended):
    """Keep every word that is taken; after the end none is, so that those reported are all that were ever made."""
    start = train.start

    def noted(steps, interval_us):
        if ended[0]:
            return False
        taken = start(steps, interval_us)
        words.add(interval_us, steps)
        return taken

    train.start = noted
