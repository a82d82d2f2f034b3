"""The desk's settings, from environment variables that begin with FIRSTLINE_; firstline.example.env explains each."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every setting with its default; the default is a desk on this machine."""

    # Empty counts as not set: container files pass on variables that nobody has filled in. Unknown ones are let be,
    # since one environment may serve several releases.
    model_config = SettingsConfigDict(env_prefix="FIRSTLINE_", env_ignore_empty=True, frozen=True, extra="ignore")

    mode: Literal["development", "production"] = Field("development", description="production refuses the manual clock")
    data: Path = Field(Path("data"), description="folder of the stores, files, keys and captured mail")
    host: str = Field("127.0.0.1", description="address that HTTP and SMTP listen on")
    port: int = Field(8080, ge=0, le=65535, description="HTTP port; 0 takes a free one")
    smtp_port: int = Field(2525, ge=0, le=65535, description="port for incoming mail; 0 takes a free one")
    public_url: str = Field("", description="address that links begin with; empty: made from host and port")
    policy: Path | None = Field(None, description="policy file; empty: the Bitrix24 pack that comes along")
    clock: Literal["system", "manual"] = Field("system", description="manual: time moves by PUT /v1/dev/clock")
    mail_from: str = Field("support@firstline.example", description="the desk's mail address")
    mail_smtp: str = Field("", description="host:port that sends mail; empty: mail is kept as files in data/mail")
    mail_smtp_security: Literal["none", "starttls", "tls"] = Field(
        "starttls", description="how the connection to mail_smtp is kept private; none only inside one's own network"
    )
    mail_smtp_user: str = Field("", description="user name for mail_smtp; empty: no sign-in")
    mail_smtp_password: SecretStr = Field(SecretStr(""), description="password for mail_smtp")
    mail_auth_server: str = Field("", description="authserv-id whose Authentication-Results are believed")
    clamd: str = Field("", description="host:port of ClamAV's daemon that looks at files; empty: nobody does")
    bucket: str = Field(
        "", pattern=r"^(s3://[a-z0-9.-]{3,63}(/[\w./-]*)?)?$", description="bucket of files; empty: data/files"
    )
    bucket_endpoint: str = Field("", description="address of the bucket's server; empty: Amazon's")
    bucket_region: str = Field("us-east-1", description="region of the bucket")
    bucket_key_id: str = Field("", description="access key of the bucket")
    bucket_secret: SecretStr = Field(SecretStr(""), description="secret of that access key")
    outbound_allow: str = Field("", description="networks that webhooks may reach although private, comma between")
    partners: Path | None = Field(None, description="file of the partners' systems that may send webhooks; empty: none")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="least level of log lines")
    trace_share: float = Field(0.01, ge=0, le=1, description="share of traces that are recorded")
    otlp_endpoint: str = Field("", description="where spans go by OTLP over HTTP; empty: nowhere")
    failpoint: str = Field(
        "",
        pattern=r"^((committed|published|mail-sent|webhook-sent)(:[1-9][0-9]{0,5})?)?$",
        description="for tests: the process ends when it comes to this place (for the n-th time)",
    )
    heads: Path | None = Field(None, description="file of the logs' heads; empty: heads.jsonl, in the data folder")
    heads_seconds: float = Field(300.0, gt=0, description="how often the desk in one process notes its logs' heads")
    pull_seconds: float = Field(30.0, gt=0, description="how often each service reads on in the others' logs")
    lease_minutes: float = Field(30.0, gt=0, description="how long a claim holds without being renewed")
    database_url: SecretStr = Field(
        SecretStr(""), description="PostgreSQL of a separate service; {service} stands for its name"
    )
    database_pooler: bool = Field(False, description="database_url is a pooler in transaction mode, such as PgBouncer")
    database_listen_url: SecretStr = Field(
        SecretStr(""), description="PostgreSQL itself, for notifications and migrations, where database_url is a pooler"
    )
    database_connections: int = Field(10, ge=2, description="how many connections a process opens at most")
    amqp_url: SecretStr = Field(SecretStr(""), description="RabbitMQ that carries the events of separate services")
    keys: Path | None = Field(None, description="folder of the desk's keys; empty: keys, in the data folder")
    vault_keys: Path | None = Field(None, description="file of the vault's keys; empty: vault, in the keys' folder")
    vault_command: str = Field(
        "", description="command that prints the vault's keys, in place of the file; empty: none"
    )
    intake_url: str = Field("http://intake:8080", description="where a separate service reaches intake")
    queue_url: str = Field("http://queue:8080", description="where a separate service reaches queue")
    sla_url: str = Field("http://sla:8080", description="where a separate service reaches sla")
    notify_url: str = Field("http://notify:8080", description="where a separate service reaches notify")
    accounts_url: str = Field("http://accounts:8080", description="where a separate service reaches accounts")
    api_url: str = Field("", description="where the separate website reaches the API; empty: public_url")

    def service_url(self, service: str) -> str:
        """Return where a service is reached."""
        return str(getattr(self, f"{service}_url")).rstrip("/")

    @property
    def keys_folder(self) -> Path:
        """The folder of the desk's keys."""
        return self.keys or self.data / "keys"

    @property
    def vault_file(self) -> Path:
        """The file of the vault's keys."""
        return self.vault_keys or self.keys_folder / "vault"

    @property
    def heads_file(self) -> Path:
        """The file to which the logs' heads are added."""
        return self.heads or self.data / "heads.jsonl"

    @model_validator(mode="after")
    def _ends_in_tests_only(self) -> Self:
        """Refuse a failpoint in production."""
        if self.failpoint and self.mode == "production":
            raise ValueError("leave failpoint empty in production: it ends the process")
        return self

    @field_validator("mail_smtp", "clamd")
    @classmethod
    def _names_a_port(cls, value: str) -> str:
        """Refuse what is not host and port, at the start and not when the first mail is due."""
        host, _, port = value.rpartition(":")
        if value and not (host and port.isdecimal() and 0 < int(port) < 65536):  # noqa: PLR2004 (TCP's own bound)
            raise ValueError("write host:port, such as relay.example.com:587")
        return value
