import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.keywords import KEYWORDS, Meaning, meaning

WISHES = """
please stop texting me
Please STOP texting me!
stop texting me
STOP TEXTING THIS NUMBER
Hi, please stop texting me. I moved to Ohio
please stop texting me i moved to ohio
can you please stop sending me messages
stop sending these messages
Stop sending me all these annoying texts please
quit texting me
Stop messaging
stop the texts
please stop
Please stop, thank you
stop please
stop thanks
ok stop
STOP ALL TEXTS
no more texts
No more messages please
don't text me
Don’t text me anymore
do not contact me again
do not text this number
never text me again
Don't send me any more messages
remove me from your list
please remove my number from your list
Take me off your texting list
take me off this list!!
Remove me
unsubscribe me
Please unsubscribe
I want to unsubscribe
unsubscribe from this list
I would like to opt out
i opt out
opt me out
please opt me out of texts
I am opting out
I revoke my consent
leave me alone
stop spamming me
Stop contacting me please
I asked you to stop texting me
wrong number. stop texting me
""".strip().splitlines()

NOT_WISHES = """
don't stop
Don't stop texting me, I like the reminders
please don't stop sending me these messages
can I stop by at 5
I'll stop by tomorrow
stop by anytime?
what time do you end
When does the office end its day
Is there a bus stop near you
The pain won't stop
I can't stop sneezing
it hurts when I stop moving
why did you stop texting me
did you stop sending texts
I didn't ask you to stop texting me
I need to cancel my appointment
Can I cancel for tomorrow?
please cancel my visit
cancel my appointment please
Yes please
yes I'll be there
Ok
help me with my back
I need help
Can you send me info on the new service
no
Oh stop it, you are too kind
I quit smoking!
quit my job, new insurance
end of the month works
at the end
My insurance will end in May
stop
""".strip().splitlines()[:-1]


@pytest.mark.parametrize("word", [w for words in (KEYWORDS[Meaning.STOP],) for w in words.split("|")])
@pytest.mark.parametrize("shape", ["{}", " {} ", "{}.", "{}!!!", "🛑 {} 🛑", "“{}”", "{}\n", "\u200b{}"])
def test_a_stop_word_by_itself_opts_out_in_any_dress(word, shape):
    for written in (word, word.upper(), word.title()):
        assert meaning(shape.format(written)) == Meaning.STOP


def test_opt_out_is_understood_with_a_hyphen_and_in_wide_letters():
    assert meaning("Opt-Out") == Meaning.STOP
    assert meaning("ＳＴＯＰ") == Meaning.STOP


@pytest.mark.parametrize("text", WISHES)
def test_a_wish_in_the_patients_own_words_opts_out(text):
    assert meaning(text) == Meaning.WISH


@pytest.mark.parametrize("text", NOT_WISHES)
def test_ordinary_sentences_with_such_words_do_not(text):
    assert meaning(text) in {Meaning.NONE, Meaning.YES}


@pytest.mark.parametrize(
    "text",
    [
        "stop texting me until Monday",
        "don't text me at work",
        "please don't text me during the day",
        "stop texting me so early",
    ],
)
def test_a_wish_with_a_limit_is_for_staff_to_read(text):
    assert meaning(text) == Meaning.NONE


def test_the_other_words_mean_what_they_say_only_alone():
    assert meaning("Start") == Meaning.START
    assert meaning("unstop") == Meaning.START
    assert meaning("YES!") == Meaning.YES
    assert meaning("help?") == Meaning.HELP
    assert meaning("INFO") == Meaning.HELP
    assert meaning("start over please") == Meaning.NONE


def test_what_the_carrier_has_read_and_acted_on_counts_whatever_the_words_are():
    assert meaning("arret", "STOP") == Meaning.STOP
    assert meaning("yes", "START") == Meaning.START
    assert meaning("hello", "NONSENSE") == Meaning.NONE


@given(st.text(max_size=400))
def test_any_text_at_all_is_read_without_failing(text):
    assert meaning(text) in Meaning


def test_a_long_hostile_text_is_read_quickly():
    for text in ("please " * 5000, "stop the " * 5000, "i want to " * 3000 + "stop", "a" * 100_000):
        meaning(text)
