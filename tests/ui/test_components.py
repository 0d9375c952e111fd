import re
from pathlib import Path

import pytest
from django import forms
from django.core.paginator import Paginator
from django.template import Context, Template

from trackstat import icons, navigation, states

ROOT = Path(__file__).resolve().parents[2]


def drawn(source: str, **context) -> str:
    return re.sub(r"\s+", " ", Template(source).render(Context(context))).strip()


def test_attributes_are_passed_on_and_escaped():
    html = drawn(
        '{% button hx_post=url hx_target__inherited="#x" disabled=False data_n=1 %}Go{% endbutton %}', url='/a"b/'
    )
    assert 'hx-post="/a&quot;b/"' in html and 'hx-target:inherited="#x"' in html and 'data-n="1"' in html
    assert "disabled" not in html


def test_words_from_outside_cannot_become_markup():
    evil = "<script>alert(1)</script>"
    sources = [
        "{% badge words %}",
        "{% state 'sending' words %}",
        "{% chip words remove='?' %}",
        "{% person words sub=words %}",
        "{% bar words 1 2 %}",
        "{% figure words words words %}",
        "{% button %}{{ words }}{% endbutton %}",
        "{% head words words %}{{ words }}{% endhead %}",
        "{% emptystate words %}{% endemptystate %}",
        "{% bubble by=words at=words %}{{ words }}{% endbubble %}",
        "{% mail_mockup words sender=words body=words %}",
        "{% progress 'p' 1 2 what=words words=words %}",
        "{% toggle on=False action='' label=words blockers=reasons %}",
        "{% confirm 'c' title=words action=words verb=words %}{{ words }}{% endconfirm %}",
        "{% dialog 'd' words %}{{ words }}{% enddialog %}",
        "{% menu 'm' text=words %}{{ words }}{% endmenu %}",
        "{% tab words words %}",
        "{% steps items %}",
        "{% notice %}{{ words }}{% endnotice %}",
        "{% phone_mockup words words %}{{ words }}{% endphone_mockup %}",
    ]
    for source in sources:
        html = drawn(
            source, words=evil, reasons=[(evil, evil, evil)], items=[{"label": evil, "url": evil, "problem": evil}]
        )
        assert "<script>" not in html, source
        assert "alert(1)" in html, source


def test_an_icon_that_does_not_exist_is_an_error():
    with pytest.raises(icons.UnknownIcon):
        drawn('{% icon "no-such-drawing" %}')


def test_every_icon_named_in_templates_and_lists_exists():
    named = {look.icon for look in states.STATES.values()}
    for item in navigation.MENU:
        named |= {item.icon, *(child.icon for child in item.children)}
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text()
        named |= set(re.findall(r'{% icon "([^"]+)"', text)) | set(re.findall(r'\bicon="([^"]+)"', text))
    for name in sorted(named):
        icons.svg(name)


def test_states_are_told_by_icon_and_word_together():
    for name in states.STATES:
        html = drawn("{% state name %}", name=name)
        assert "<svg" in html and states.STATES[name].word in html
    assert "In review" in drawn('{% state "in_review" %}')


class Booking(forms.Form):
    day = forms.DateField(help_text="In the practice's time.")


def test_a_field_ties_label_help_and_error_to_its_control():
    html = drawn("{% field form.day %}", form=Booking({"day": ""}))
    assert '<label for="id_day">' in html
    assert 'aria-invalid="true"' in html
    described = re.search(r'aria-describedby="([^"]+)"', html)[1].split()
    assert sorted(described) == ["id_day_error", "id_day_helptext"]
    assert all(f'id="{name}"' in html for name in described)


def test_sorting_turns_around_keeps_the_filter_and_goes_back_to_the_first_page(rf):
    source = '{% th "Name" "name" %}'
    first = drawn(source, request=rf.get("/?tag=VIP&page=3"))
    assert 'href="?tag=VIP&amp;sort=name"' in first and "aria-sort" not in first
    again = drawn(source, request=rf.get("/?tag=VIP&sort=name"))
    assert 'href="?tag=VIP&amp;sort=-name"' in again and 'aria-sort="ascending"' in again


def test_the_pager_says_where_one_is_and_keeps_the_filter(rf):
    html = drawn("{% pager page %}", page=Paginator(range(1284), 50).page(2), request=rf.get("/?tag=VIP&page=2"))
    assert "51–100 of 1,284" in html
    assert 'href="?tag=VIP&amp;page=1"' in html and 'href="?tag=VIP&amp;page=3"' in html


def test_progress_asks_again_until_it_is_finished_and_then_stops():
    running = drawn('{% progress "p" 412 1284 poll="/x/" rate=8 %}')
    assert 'hx-get="/x/"' in running and 'max="1284"' in running and "about 2 min left" in running
    assert "hx-get" not in drawn('{% progress "p" 1284 1284 poll="/x/" %}')


def test_a_toggle_that_is_blocked_says_why_and_where_to_mend_it():
    html = drawn(
        "{% toggle on=False action='/on/' blockers=reasons %}", reasons=[("The audience is empty.", "/a/", "Choose")]
    )
    assert "disabled" in html and "The audience is empty." in html and 'href="/a/"' in html
    assert "disabled" not in drawn("{% toggle on=True action='/off/' blockers=reasons %}", reasons=["Too late."])
