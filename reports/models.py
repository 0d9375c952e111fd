from django.db import models


class Report(models.Model):
    """No table: holds the permissions of the reports."""

    class Meta:
        managed = False
        default_permissions = ()
        permissions = [
            ("view_report", "Can see reports"),
            ("view_money", "Can see money figures"),
            ("download_report", "Can download reports"),
        ]
