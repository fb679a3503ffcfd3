#!/usr/bin/perl
# Runs each line of sh that is posted to it, and answers with its output, its errors and its exit code, divided by NUL.
# It has no protection and is for test machines only. It is small because a fork costs the more in User-Mode Linux, the
# more memory the process has.
use strict;
use warnings;
use IO::Socket::INET;

my $listener = IO::Socket::INET->new(LocalPort => $ARGV[0], Listen => 50, ReuseAddr => 1) or die "no socket: $!";
$SIG{CHLD} = 'IGNORE';

sub taken {
  my ($path) = @_;
  open my $file, '<', $path or return '';
  local $/;
  my $text = <$file>;
  unlink $path;
  return $text // '';
}

while (1) {
  my $client = $listener->accept or next;
  if (fork) { close $client; next }
  $SIG{CHLD} = 'DEFAULT';
  my ($length, $command) = (0, '');
  while (defined(my $line = <$client>)) {
    $line =~ s/\r?\n$//;
    last if $line eq '';
    $length = $1 if $line =~ /^content-length:\s*(\d+)/i;
  }
  read $client, $command, $length if $length;
  my ($out, $err) = ("/run/agent-$$-out", "/run/agent-$$-err");
  my $pid = fork;
  if (!$pid) {
    close $client;
    close $listener;
    open STDIN, '<', '/dev/null';
    open STDOUT, '>', $out;
    open STDERR, '>', $err;
    exec '/bin/sh', '-c', $command;
    exit 127;
  }
  waitpid $pid, 0;
  my $answer = join "\0", taken($out), taken($err), $? >> 8 || $? & 127;
  print $client "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " . length($answer) . "\r\n\r\n$answer";
  close $client;
  exit 0;
}
