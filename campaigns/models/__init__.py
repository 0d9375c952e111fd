from campaigns.models.campaign import AudienceMember, AudienceRemoval, Campaign, Step
from campaigns.models.enrollment import Enrollment

__all__ = ["AudienceMember", "AudienceRemoval", "Campaign", "Enrollment", "Step"]
