"""Rows for tests. Open `practice_scope` first: whatever is made belongs to the practice in scope."""

import datetime as dt

import factory
from factory.django import DjangoModelFactory

from audience.models import Appointment, Channel, ContactPoint, Patient, Tag
from campaigns.models import Campaign, Enrollment, Step
from messaging.models import Content, Message, SendingIdentity
from trackstat.clock import now


class PatientFactory(DjangoModelFactory):
    """Reachable by text and email, with the contact points that the EHR apply step would have made."""

    class Meta:
        model = Patient
        skip_postgeneration_save = True

    source = "test"
    external_id = factory.Sequence(lambda n: f"Patient/{n}")
    first_name = "Ana"
    last_name = "Alvarez"
    birth_date = dt.date(1984, 3, 12)
    sex = Patient.Sex.FEMALE
    cell = factory.Sequence(lambda n: f"+1617555{n % 10000:04d}")
    email = factory.Sequence(lambda n: f"patient{n}@mail.example")
    address_line = "5 Elm Street"
    city = "Boston"
    state = "MA"
    postal_code = "02118"
    time_zone = "America/New_York"
    can_text = factory.LazyAttribute(lambda patient: bool(patient.cell))
    can_email = factory.LazyAttribute(lambda patient: bool(patient.email))

    @factory.post_generation
    def contact_points(self, create, extracted, **kwargs):
        points = [ContactPoint(channel=channel, address=self.address_for(channel)) for channel in Channel.values]
        ContactPoint.objects.bulk_create([each for each in points if each.address], ignore_conflicts=True)


class AppointmentFactory(DjangoModelFactory):
    class Meta:
        model = Appointment

    patient = factory.SubFactory(PatientFactory)
    source = "test"
    external_id = factory.Sequence(lambda n: f"Appointment/{n}")
    status = Appointment.Status.CHECKED_IN
    starts_at = factory.LazyFunction(lambda: now() - dt.timedelta(days=30))
    starts_on = factory.LazyAttribute(lambda appointment: appointment.starts_at.date())


class TagFactory(DjangoModelFactory):
    class Meta:
        model = Tag
        django_get_or_create = ("name",)

    name = "VIP"


class TextIdentityFactory(DjangoModelFactory):
    """An approved text number at the (stand-in) carrier."""

    class Meta:
        model = SendingIdentity

    channel = Channel.TEXT
    provider = SendingIdentity.Provider.TWILIO
    label = "Front desk"
    address = factory.Sequence(lambda n: f"+1617555{9000 + n % 1000}")
    account = factory.Sequence(lambda n: f"AC{n:032x}")
    secret = "auth-token"
    registration = SendingIdentity.Registration.APPROVED
    is_sandbox = True
    rate_per_second = 100


class EmailIdentityFactory(TextIdentityFactory):
    channel = Channel.EMAIL
    provider = SendingIdentity.Provider.MAILGUN
    label = "Newsletter"
    address = factory.Sequence(lambda n: f"hello{n}@mail.northside.example")
    from_name = "Northside Chiropractic"
    account = "mail.northside.example"
    secret = "key-secret"
    webhook_secret = "signing-key"


class ContentFactory(DjangoModelFactory):
    class Meta:
        model = Content

    channel = Channel.TEXT
    body = "Hi {{PatientFirstName|there}}, we miss you at {{PracticeName}}."


class CampaignFactory(DjangoModelFactory):
    class Meta:
        model = Campaign

    kind = Campaign.Kind.BLAST
    name = factory.Sequence(lambda n: f"Autumn reactivation {n}")


class StepFactory(DjangoModelFactory):
    class Meta:
        model = Step

    campaign = factory.SubFactory(CampaignFactory)
    position = 1
    channel = Channel.TEXT
    content = factory.SubFactory(ContentFactory)


class EnrollmentFactory(DjangoModelFactory):
    class Meta:
        model = Enrollment

    campaign = factory.SubFactory(CampaignFactory)
    patient = factory.SubFactory(PatientFactory)
    occurrence = "launch"
    due_at = factory.LazyFunction(now)
    not_after = factory.LazyFunction(lambda: now() + dt.timedelta(days=2))


class MessageFactory(DjangoModelFactory):
    """A due text waiting to be claimed."""

    class Meta:
        model = Message

    channel = Channel.TEXT
    category = "announcement"
    patient = factory.SubFactory(PatientFactory)
    identity = factory.SubFactory(TextIdentityFactory)
    content = factory.SubFactory(ContentFactory)
    to_address = factory.LazyAttribute(lambda message: message.patient.address_for(message.channel))
    contact_point = factory.LazyAttribute(
        lambda message: ContactPoint.objects.get(channel=message.channel, address=message.to_address)
    )
    body = "Hi Ana, we miss you at Northside Chiropractic."
    due_at = factory.LazyFunction(now)
    next_at = factory.LazyAttribute(lambda message: message.due_at)
    not_after = factory.LazyAttribute(lambda message: message.due_at + dt.timedelta(days=2))
