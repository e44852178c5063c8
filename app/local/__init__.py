"""What one machine needs in place of the cloud: emulators as real servers, a Java, Beam's local runner."""
