"""What the environment of a CI job says: GitHub Actions, GitLab CI, Jenkins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from migrator.errors import UsageError
from migrator.imports.reported import Given, Reported

SHORTEST = 7
"""Characters of a commit that name it."""


@dataclass(frozen=True, slots=True)
class Job:
    """A CI job.

    Args:
        key: of this run and attempt; to run it again is another deployment.
        commit: that it was started for.
        tag: that it was started for.
        url: where it can be looked at.
    """

    name: str
    key: str
    project: str
    commit: str | None = None
    actor: str | None = None
    url: str | None = None
    environment: str | None = None
    tag: str | None = None

    def made(self, version: str | None) -> bool:
        """Whether its commit is that of a version: a job that deploys an older one was started for another commit."""
        if version is None or self.commit is None:
            return version is None
        named = self.tag is not None and version in (self.tag, self.tag.removeprefix("v"))
        return named or (len(version) >= SHORTEST and self.commit.startswith(version))


def job(environ: Mapping[str, str]) -> Job | None:
    """The job that this is run in; None where it is none that is known."""
    if environ.get("GITHUB_ACTIONS"):
        return github(environ)
    if environ.get("GITLAB_CI"):
        return gitlab(environ)
    return jenkins(environ) if environ.get("JENKINS_URL") and environ.get("BUILD_URL") else None


def github(environ: Mapping[str, str]) -> Job:
    repository, run = environ.get("GITHUB_REPOSITORY", ""), environ.get("GITHUB_RUN_ID", "")
    attempt = environ.get("GITHUB_RUN_ATTEMPT", "1")
    server = environ.get("GITHUB_SERVER_URL", "https://github.com")
    return Job(
        "GitHub Actions",
        f"github-run:{repository}:{run}:{attempt}",
        repository.rpartition("/")[2],
        environ.get("GITHUB_SHA") or None,
        environ.get("GITHUB_TRIGGERING_ACTOR") or environ.get("GITHUB_ACTOR") or None,
        f"{server}/{repository}/actions/runs/{run}/attempts/{attempt}" if run else None,
        tag=environ.get("GITHUB_REF_NAME") if environ.get("GITHUB_REF_TYPE") == "tag" else None,
    )


def gitlab(environ: Mapping[str, str]) -> Job:
    return Job(
        "GitLab CI",
        f"gitlab-job:{environ.get('CI_PROJECT_PATH', '')}:{environ.get('CI_JOB_ID', '')}",
        environ.get("CI_PROJECT_NAME", ""),
        environ.get("CI_COMMIT_SHA") or None,
        environ.get("GITLAB_USER_LOGIN") or None,
        environ.get("CI_JOB_URL") or environ.get("CI_PIPELINE_URL") or None,
        environ.get("CI_ENVIRONMENT_NAME") or None,
        environ.get("CI_COMMIT_TAG") or None,
    )


def jenkins(environ: Mapping[str, str]) -> Job:
    return Job(
        "Jenkins",
        f"jenkins:{environ['BUILD_URL']}",
        environ.get("JOB_BASE_NAME") or environ.get("JOB_NAME", ""),
        environ.get("GIT_COMMIT") or None,
        environ.get("BUILD_USER_ID") or environ.get("CHANGE_AUTHOR") or None,
        environ["BUILD_URL"],
        tag=environ.get("TAG_NAME") or None,
    )


def reported(environ: Mapping[str, str], given: Given, status: str) -> Reported:
    """The deployment that a job is.

    Raises:
        UsageError: it is no job that is known, or does not say what it deploys.
    """
    found = job(environ)
    if found is None:
        raise UsageError(
            "this is no job of GitHub Actions, GitLab CI or Jenkins: its variables are not set",
            next_step="migrator deploy record --app NAME --version VERSION",
        )
    application = given.application or found.project
    environment = given.environment or found.environment or "production"
    if not found.commit:
        raise UsageError(
            f"{found.name} does not say which commit it deploys",
            next_step="migrator deploy record --app NAME --version VERSION",
        )
    if not application:
        raise UsageError(f"{found.name} does not say what it deploys", next_step="name it: --app NAME")
    return Reported(
        found.name,
        f"{found.key}:{application}:{environment}:{given.region}"[:255],
        application,
        found.commit,
        environment,
        given.region,
        status,
        shape=given.shape,
        survives=given.survives,
        actor=found.actor,
        commit=found.commit,
        ci_run=found.url,
    )
